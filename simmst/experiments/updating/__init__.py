"""How the directory of a finished run takes in newer days."""
