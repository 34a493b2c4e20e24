"""The playground: a local page that shows what a guard does; needs the extra `serve`."""
