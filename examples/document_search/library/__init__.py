"""A searchable library made of the documents in one folder: read, index, find, cite."""
