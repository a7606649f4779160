"""The parts of the documentation that are made from the code.

A page names such a part between two comments; what stands between them is rewritten by `make reference`:

    <!-- made from the code: close codes -->
    …
    <!-- end -->
"""
