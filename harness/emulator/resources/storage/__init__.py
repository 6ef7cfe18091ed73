"""What is uploaded to be used later: files, and file search stores with their documents. Layer 2."""
