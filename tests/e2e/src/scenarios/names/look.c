/* Looks a name up by the C library and fetches from its first address: look NAME PORT MARK */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char room[4096];
	ssize_t got;
	int fd;

	if (argc != 4 || getaddrinfo(argv[1], argv[2], &hints, &found))
		return 2;
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
		return 3;
	freeaddrinfo(found);
	if (write(fd, request, strlen(request)) != (ssize_t)strlen(request))
		return 4;
	while ((got = read(fd, room, sizeof(room))) > 0)
		;
	/* Long enough for its library to be met. */
	usleep(200 * 1000);
	return got ? 5 : 0;
}
