"""Drive the workers, put their figures side by side."""
