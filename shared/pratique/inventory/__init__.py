"""What is installed in an image, and how much of the image could be read. Pure."""
