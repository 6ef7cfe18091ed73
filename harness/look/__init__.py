"""How every page of ours looks: colours, type, shapes of verdicts, the parts that pages share.

Layer 0, files and their loader; must not know what a page is about. `tokens.css` names each colour and size once,
for light and dark. `elements.css` has the parts: verdict words, buttons, folds, code with Copy, theme switch.
`matrix.css` is the table of cells that open a drawer. `icons.svg` has one shape for each verdict. `theme.js`,
`copy.js` and `matrix.js` are the scripts that belong to the parts. A page puts them into itself: it asks nobody.
"""
