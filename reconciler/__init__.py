"""The reconciler carries Git into a cluster; its code comes with the next release."""
