"""Forms made of JSON Schemas: what there is to fill in, what was filled in, and which value that is. Pure.

The state of a form is its fields, as a browser sends them. `spots` says what a place in a value may be, `filling` makes
fields of a value, `reading` makes a value of fields, `editing` changes which fields there are, and `showing` makes what
a template draws. Whatever a form cannot show as it is stands in it as JSON, so every value has its form.
"""
