"""The page of `benchmark --web`: what browsers load, and the server that they load it from.

`static` has the page. `litert_js` packs LiteRT.js from npm, and `server` serves both and passes
tasks to the browsers that open the page.
"""
