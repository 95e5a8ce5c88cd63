compress info -- --json
