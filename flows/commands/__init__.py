"""The commands of `vatra`, one function each; imported only when the command is known to be right."""
