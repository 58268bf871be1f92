"""`make bench`: how long Skerry's commands take, beside Ansible and pyinfra doing the same."""
