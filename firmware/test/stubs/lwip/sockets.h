#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
ssize_t lwip_recv(int socket, void* to, size_t room, int flags);
ssize_t lwip_send(int socket, const void* from, size_t size, int flags);
int lwip_select(int count, fd_set* read, fd_set* write, fd_set* except, timeval* wait);
int lwip_setsockopt(int socket, int level, int option, const void* value, socklen_t size);
int lwip_close(int socket);
