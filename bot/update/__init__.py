"""The journey of a tag, told once: read, bind, ask, decide, deliver."""
