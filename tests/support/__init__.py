"""What tests share: records built by hand, and real servers."""
