"""Git as a child process: one bare cache per remote, no work tree."""
