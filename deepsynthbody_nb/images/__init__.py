"Images: pixels, files, drawing."
