"""The life of a proposal: decided here, carried out here."""
