"""Where everything is kept: SQLite or Postgres, a content store, the home folder, migrations."""
