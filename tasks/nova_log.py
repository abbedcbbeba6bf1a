from tasks.training_log import RunLog
class NovaLog(RunLog): pass
