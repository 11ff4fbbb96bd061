"""Parts of the phantoms: anatomy, bones, lesions, exposure."""
