"""The playground: a page on this machine that shows what a guard does; needs the extra `serve`."""
