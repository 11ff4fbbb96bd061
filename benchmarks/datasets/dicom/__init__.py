"""What the headers of DICOM files say about images and patients."""
