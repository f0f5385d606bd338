"""The verbs of ``impact`` beyond the daily three, one family a module, loaded when they are called."""
