"""The main job on the embedded default, shown step by step."""
