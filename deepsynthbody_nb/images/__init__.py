"Images: what their pixels mean, files of all kinds, drawing."
