"""The pages for people: choose files, follow a download, look back. Works without JavaScript."""
