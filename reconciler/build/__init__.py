"""From a folder to objects: kustomize, and the substitution of variables."""
