(function_item name: (_) @name body: (block) @body) @function
(closure_expression body: (block) @body) @function
(impl_item type: (_) @name body: (declaration_list) @body) @class
(trait_item name: (_) @name body: (declaration_list) @body) @class
(mod_item name: (_) @name body: (declaration_list) @body) @class
(struct_item name: (_) @name body: (field_declaration_list) @body) @class
(union_item name: (_) @name body: (field_declaration_list) @body) @class
(enum_item name: (_) @name body: (enum_variant_list) @body) @class

[(use_declaration) (extern_crate_declaration)] @import
(mod_item !body) @import

[(line_comment) (block_comment)] @comment
[(string_literal) (raw_string_literal) (char_literal)] @string
