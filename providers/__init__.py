"""All network input and output: price sources, launchers, engines; one file each."""
