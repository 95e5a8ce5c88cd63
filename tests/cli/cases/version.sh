compress version
compress --version
