"""Access logs of web servers → events: one module a family of formats, and what all of them share."""
