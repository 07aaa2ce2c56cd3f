"""Coverage-guided fuzzing: `targets/` has what is fuzzed, `corpus/` the inputs to start from, `run.py` the command."""
