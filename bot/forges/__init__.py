"""One API each: GitHub, GitLab, Gitea and Forgejo, behind the protocol of `forge.py`."""
