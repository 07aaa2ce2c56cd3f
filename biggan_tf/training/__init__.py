"""D steps, G step, EMA, loss scale, checkpoints and the loop around them."""
