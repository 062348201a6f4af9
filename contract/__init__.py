"""What both planes agree on: the model contract, the catalogue, commands. Pure: no I/O."""
