"""Decisions: policy applied to what is stored about images, and adopted together with the actions that follow. For one image after its scan, and for many when advisories change."""
