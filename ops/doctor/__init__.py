"""Doctor: whether everything the pipeline stands on is as it must be, and the command that mends what is not."""
