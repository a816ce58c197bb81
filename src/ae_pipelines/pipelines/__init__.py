"""One folder a stage: `pipeline.py` wires, `nodes.py` calls the library."""
