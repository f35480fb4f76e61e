"""What formats share: paths of local and remote files, compressed streams, chunks of whole lines."""
