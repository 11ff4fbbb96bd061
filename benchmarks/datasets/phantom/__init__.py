"""Parts of the drawn phantoms: anatomy, bones, lesions, exposure."""
