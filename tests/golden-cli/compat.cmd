@echo off
set TOOL=ipseccmd.exe
%TOOL% -w REG -p "From batch" -r "In" ^
    -f *=0:445:TCP -n BLOCK -x > nul
ping -n 1 host
%OTHER% -u
