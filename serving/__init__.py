"""The exported generator: its signatures, a server and a client."""
