(method_declaration name: (_) @name body: (block) @body) @function
(constructor_declaration name: (_) @name body: (block) @body) @function
(destructor_declaration name: (_) @name body: (block) @body) @function
(local_function_statement name: (_) @name body: (block) @body) @function
(operator_declaration body: (block) @body) @function
(property_declaration name: (_) @name accessors: (accessor_list) @body) @function
(accessor_declaration name: _ @name body: (block) @body) @function
(lambda_expression body: (block) @body) @function
(anonymous_method_expression (block) @body) @function
(class_declaration name: (_) @name body: (declaration_list) @body) @class
(struct_declaration name: (_) @name body: (declaration_list) @body) @class
(interface_declaration name: (_) @name body: (declaration_list) @body) @class
(record_declaration name: (_) @name body: (declaration_list) @body) @class
(enum_declaration name: (_) @name body: (enum_member_declaration_list) @body) @class
(namespace_declaration name: (_) @name body: (declaration_list) @body) @class

(using_directive) @import
(namespace_declaration body: (declaration_list (using_directive) @import))

(comment) @comment
[(string_literal) (verbatim_string_literal) (raw_string_literal) (interpolated_string_expression)
 (character_literal)] @string
(interpolation) @interpolation
