"""What a result looks like: one file a form, each a pure function from a result to text, or what writes that text."""
