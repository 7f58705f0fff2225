"""The command line: a file a command, thin skins over the library."""
