local module_version = "1.2.0"
package = "Acme"
version = module_version .. "-1"
source = {
   url = "git+https://github.com/acme/lua-acme.git",
   tag = "v" .. module_version
}
description = {
   summary = "HTTP for Lua",
   detailed = [[
      It speaks HTTP.
   ]],
   homepage = "https://acme.example",
   license = "MIT/X11"
}
dependencies = {
   "lua >= 5.1"
}
build = {
   type = "builtin",
   modules = {
      acme = "src/acme.lua"
   }
}
