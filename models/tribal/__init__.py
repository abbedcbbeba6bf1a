"""NOVA, the tribal transformer: members of a tribe who colour one language model, as the context asks for them."""
