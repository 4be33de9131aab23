"""Pictures of what the search space knows, each one a standalone SVG: trees and reduction matrices."""
