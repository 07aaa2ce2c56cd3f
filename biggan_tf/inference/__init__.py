"""What generators and discriminators of all families become when they are served."""
