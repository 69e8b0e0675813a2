"""A contract for import-linter that lists what modules may import, and forbids everything else."""

from __future__ import annotations

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules


class AllowedImports(Contract):
    """Modules that import only the standard library, each other, and a list of other modules.

    Imports below `if TYPE_CHECKING:` count, too.

    Attributes:
        modules: The modules, by name or wildcard. They are not packages: `a.*` means the modules
            directly in `a`.
        allowed: Modules of this project, and external packages, that each of them may import.
        independent: Whether they may not import each other.
        ignore_imports: Single imports, as `importer -> imported`, that are allowed as well.
    """

    type_name = "allowed"

    modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed = fields.SetField(subfield=fields.ModuleExpressionField())
    independent = fields.BooleanField(required=False, default=False)
    ignore_imports = fields.SetField(subfield=fields.StringField(), required=False, default=set())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find the imports that are not allowed."""
        modules = _names(graph, self.modules)
        allowed = _names(graph, self.allowed) | sys.stdlib_module_names
        if not self.independent:
            allowed |= modules
        ignored = set(self.ignore_imports)
        broken = [
            f"{module} -> {imported}"
            for module in sorted(modules)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported not in allowed and f"{module} -> {imported}" not in ignored
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports that are not allowed."""
        for line in check.metadata["broken"]:
            output.print_error(f"- {line} is not in the list of allowed imports")


def _names(graph: ImportGraph, expressions: object) -> set[str]:
    modules = module_expressions_to_modules(graph, expressions, raise_if_unmatched=True)
    return {module.name for module in modules}
