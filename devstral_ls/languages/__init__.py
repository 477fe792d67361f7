"""What we know of programming languages: rows of a table, grammars, syntax trees and the scopes around a cursor."""
