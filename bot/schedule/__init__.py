"""When which errand is due, and how many run at once."""
